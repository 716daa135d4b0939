"""The from-scratch wire protocol: frames and bodies without I/O, and a server and client."""
