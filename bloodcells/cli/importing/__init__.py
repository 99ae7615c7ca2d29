"""The command `bloodcells import`; its name is a keyword of Python, so the package has another one."""
