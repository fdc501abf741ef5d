"""The command line: ``perijove NOUN VERB``, one file a noun."""
