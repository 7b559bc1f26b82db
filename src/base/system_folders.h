/*
 * The folders in "/" that belong to the system: who confines a program and who checks what it is to be
 * confined to mean the same ones. fdsup.conf(5), SANDBOX, has the same lists.
 */
#ifndef FDSUP_BASE_SYSTEM_FOLDERS_H
#define FDSUP_BASE_SYSTEM_FOLDERS_H

#include <stdbool.h>
#include <stddef.h>

struct system_folder {
	const char *path;  /* "/usr" */
	bool has_programs; /* and libraries: what is executed at any host */
};

extern const struct system_folder system_folders[];
extern const size_t system_folders_n;

#endif
