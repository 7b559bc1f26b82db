#include "base/system_folders.h"

const struct system_folder system_folders[] = {
	{ "/bin", true },
	{ "/boot", false },
	{ "/efi", false },
	{ "/etc", false },
	{ "/lib", true },
	{ "/lib32", true },
	{ "/lib64", true },
	{ "/libx32", true },
	{ "/proc", false },
	{ "/sbin", true },
	{ "/sys", false },
	{ "/usr", true },
};

const size_t system_folders_n = sizeof system_folders / sizeof *system_folders;
