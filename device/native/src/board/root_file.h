/* Small text files of the system, under a root folder so that a sample of a board's files can be read. */
#ifndef EDGESEQ_ROOT_FILE_H
#define EDGESEQ_ROOT_FILE_H

#include <stdbool.h>

/* The text of root/path ("/proc/meminfo") without surrounding blanks, tabs, line ends and NULs, in memory for
 * the caller to free; NULL where the kernel does not offer it. A NUL within ends the text. */
char *root_file_text(const char *root, const char *path);

/* The value of the first line "NAME : VALUE" with that name in a text such as /proc/cpuinfo's, without the
 * blanks around it, for the caller to free; NULL where there is none. */
char *root_file_field(const char *text, const char *name);

/* Whether all of a text is decimal digits, one at least. */
bool root_file_is_digits(const char *text);

#endif
