#include "process/holding.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>

bool process_holds_socket(pid_t pid, const ino_t inodes[], size_t n)
{
	char path[32];
	struct stat status;
	struct dirent *entry;
	bool holds = false;
	snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
	DIR *folder = opendir(path);
	while (folder && !holds && (entry = readdir(folder))) {
		bool is_socket = fstatat(dirfd(folder), entry->d_name, &status, 0) == 0 &&
				 S_ISSOCK(status.st_mode);
		for (size_t i = 0; is_socket && i < n && !holds; i++)
			holds = status.st_ino == inodes[i];
	}
	if (folder)
		closedir(folder);
	return holds;
}
