"""The virtual Pi as a whole machine: its own kernel, memory and SSH server, emulated by qemu-system."""
