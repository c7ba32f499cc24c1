/* Code that only start-up needed: given back to the kernel it costs no RAM until it is used again, and then
 * comes from the page cache. */
#ifndef EDGESEQ_GIVE_BACK_H
#define EDGESEQ_GIVE_BACK_H

/* The read-only parts, code and constants, of this program and every library that is loaded. */
void give_back_code(void);

#endif
