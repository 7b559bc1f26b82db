#include "worker/socket_file.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"

enum { BACKLOG = 128 };

static int parse(const char *name, struct unix_name *ret_name)
{
	int r = unix_name_parse(name, ret_name);
	if (r == -EINVAL)
		log_error("the name of the worker socket is empty: give a path, or @name");
	else if (r < 0)
		log_error("%s: the name of a Unix socket has at most %d bytes, this one has %zu: "
			  "choose a shorter one",
			name, UNIX_NAME_MAX, strlen(name));
	return r;
}

static const char *advice_for(int error)
{
	switch (error) {
	case -ENOENT:
		return ": make its directory first";
	case -EACCES:
		return ": choose a directory that this user may write to";
	default:
		return "";
	}
}

static void complain(const char *name, int r)
{
	if (r == -EEXIST)
		log_error("%s exists and is no socket: remove it, or choose another name", name);
	else if (r == -EADDRINUSE && unix_name_is_abstract(name))
		log_error("%s: another program has this name: stop it, or choose another", name);
	else if (r == -EADDRINUSE)
		log_error(
			"%s: another program listens there: stop it, or choose another name", name);
	else
		log_error("%s: cannot make the worker socket: %s%s", name, strerror(-r),
			advice_for(r));
}

int socket_file_listen(struct socket_file *file, const char *name, unsigned mode)
{
	const struct unix_access access = { (uid_t)-1, (gid_t)-1, mode };
	struct unix_name address;
	*file = (struct socket_file){ .name = name };
	if (parse(name, &address) < 0)
		return -1;
	int fd = unix_name_listen(&address, &access, BACKLOG, &file->file);
	if (fd >= 0)
		return fd;
	complain(name, fd);
	return -1;
}

void socket_file_remove(const struct socket_file *file)
{
	unix_file_remove(&file->file, file->name);
}
