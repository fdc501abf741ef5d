"""Jupyter's server extension: authorises and forwards; nothing is decided here."""
