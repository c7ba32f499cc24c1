"""Virtual Raspberry Pis under qemu-user: Debian's packages, the emulator, a board's files."""
