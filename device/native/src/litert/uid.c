/* getuid() of the whole program, libLiteRt.so included: the program exports it, so that it stands before
 * libc's.
 *
 * The library asks for the user at every inference, for accelerators that none of ours is; a system call is a
 * third of a small model's step. The kernel tells a program its user when it starts it, and this one never
 * becomes another's. */
#include <sys/auxv.h>
#include <unistd.h>

uid_t getuid(void) {
    return (uid_t)getauxval(AT_UID);
}
