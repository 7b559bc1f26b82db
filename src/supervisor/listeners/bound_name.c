#include "supervisor/listeners/bound_name.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

static struct unix_access access_of(const struct service_config *config)
{
	return (struct unix_access){
		.uid = config->sockets->socket_uid,
		.gid = config->sockets->socket_gid,
		.mode = config->sockets->socket_mode,
	};
}

int bound_name_listen(const struct service_config *config, const char *text, int *ret_fd,
	struct bound_name **ret_name)
{
	struct unix_access access = access_of(config);
	struct unix_name address;
	struct bound_name *name = malloc(sizeof *name + strlen(text) + 1);
	if (!name)
		return -ENOMEM;
	*name = (struct bound_name){ .n_users = 1 };
	strcpy(name->text, text);
	int r = unix_name_parse(text, &address);
	if (r == 0)
		r = unix_name_listen(&address, &access, (int)config->sockets->backlog, &name->file);
	if (r < 0) {
		free(name);
		return r;
	}
	*ret_fd = r;
	*ret_name = name;
	return 0;
}

struct bound_name *bound_name_restore(const char *text, const struct unix_file *file)
{
	struct bound_name *name = malloc(sizeof *name + strlen(text) + 1);
	if (!name)
		return NULL;
	*name = (struct bound_name){ .n_users = 1, .file = *file };
	strcpy(name->text, text);
	return name;
}

struct bound_name *bound_name_share(struct bound_name *name)
{
	if (name)
		name->n_users++;
	return name;
}

void bound_name_release(struct bound_name *name)
{
	if (!name || --name->n_users)
		return;
	unix_file_remove(&name->file, name->text);
	free(name);
}

bool bound_name_is_there(const struct bound_name *name)
{
	return unix_name_is_abstract(name->text) || unix_file_is_there(&name->file, name->text);
}

void bound_name_apply(const struct bound_name *name, const struct service_config *config)
{
	struct unix_access access = access_of(config);
	if (unix_name_is_abstract(name->text))
		return;
	int r = unix_file_set_access(&name->file, name->text, &access);
	if (r == -ESTALE)
		log_warning("%s: somebody has removed or replaced the socket %s, so no client "
			    "finds it; "
			    "fdsupctl stop %s, then fdsupctl start %s, makes it anew",
			config->name, name->text, config->name, config->name);
	else if (r < 0)
		log_warning(
			"%s: cannot set the owner and the mode of %s: %s; they stay as they are",
			config->name, name->text, strerror(-r));
}

void bound_name_explain(const char *text, int r, char *reason, size_t size)
{
	if (r == -EADDRINUSE && unix_name_is_abstract(text))
		snprintf(reason, size,
			"the name is taken by another program (ss -lxp tells which); stop it, or "
			"choose "
			"another name");
	else if (r == -EADDRINUSE)
		snprintf(reason, size,
			"another program listens there (ss -lxp tells which); stop it, or choose "
			"another "
			"path");
	else if (r == -EEXIST)
		snprintf(reason, size,
			"there is something that is not a socket; remove it, or choose another "
			"path");
	else if (r == -ENOENT)
		snprintf(reason, size, "its directory does not exist; make it first");
	else if (r == -ENOTDIR)
		snprintf(reason, size, "a part of the path is no directory; correct the path");
	else if (r == -EACCES || r == -EPERM)
		snprintf(reason, size,
			"%s; choose a directory that fdsup may write to, and an owner that it may "
			"give",
			strerror(-r));
	else
		snprintf(reason, size, "%s", strerror(-r));
}
