"""The figures Perijove is built to, each beside its peer in the same run."""
