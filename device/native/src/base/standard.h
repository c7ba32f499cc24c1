/* stdin, stdout and stderr. */
#ifndef EDGESEQ_STANDARD_H
#define EDGESEQ_STANDARD_H

/* Lets no other file get the descriptor of one of them that this program was started without. Reading such a
 * stdin and writing to such a stdout fails as before; what is written to such a stderr is lost. To be called
 * before anything is opened. */
void standard_fill(void);

/* The exit code of a program that would end with this one: a fault, and a line on stderr, where its answers
 * could not be written. */
int standard_written(int exit_code);

#endif
