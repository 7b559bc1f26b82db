/*
 * Files as a program sees them whose root directory is another one: links in it lead to places in it.
 */
#ifndef FDSUP_BASE_ROOT_H
#define FDSUP_BASE_ROOT_H

/*
 * A descriptor (O_PATH) of the file at `path`, absolute, below `root` (NULL: "/"), the caller's to
 * close; or -errno.
 */
int root_open(const char *root, const char *path);

#endif
