"""Compute instances and attached machines.

::

    hub ── target.py ── the hub's gate ◄── HTTP ── agent.py, one a machine, detached
              │                                       │ forks runners, holds kernels
           machine.py: how the machine is reached,    └ courier.py copies what attempts write
           and the agent started there
"""
