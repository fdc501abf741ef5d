"""What Perijove does, one file per noun, over the contracts in ``perijove.abc`` only."""
