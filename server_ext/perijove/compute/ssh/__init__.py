"""How a machine is reached over SSH: a connection that comes back, tunnels, files, our package.

The only package that imports asyncssh.
"""
