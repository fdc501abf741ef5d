"""The routes, one file per noun; each verb only translates."""
