#include "config/texts_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

struct texts_file *texts_file_take(int fd_given)
{
	fd_auto int fd = fd_given;
	struct texts_file *file = malloc(sizeof *file);
	if (file)
		*file = (struct texts_file){ .fd = fd_take(&fd), .n_users = 1 };
	return file;
}

struct texts_file *texts_file_create(void)
{
	int fd = memfd_create("fdsup-configuration", MFD_CLOEXEC);
	return fd < 0 ? NULL : texts_file_take(fd);
}

struct texts_file *texts_file_share(struct texts_file *file)
{
	if (file)
		file->n_users++;
	return file;
}

void texts_file_release(struct texts_file *file)
{
	if (!file || --file->n_users)
		return;
	fd_close(&file->fd);
	free(file);
}

/* ---- what is in it ----------------------------------------------------------------------------- */

static int write_text(int fd, const char *text)
{
	return fd_write_all(fd, text, strlen(text) + 1);
}

int texts_file_write(int fd, const struct config *config)
{
	int r = 0;
	for (size_t i = 0; i < config->n_texts && r == 0; i++) {
		r = write_text(fd, config->texts[i].path);
		if (r == 0)
			r = write_text(fd, config->texts[i].text);
	}
	return r;
}

static int split_texts(struct texts *texts, size_t size)
{
	size_t n = 0;
	for (size_t i = 0; i < size; i++)
		n += texts->bytes[i] == 0;
	if (n < 2 || n % 2 || texts->bytes[size - 1])
		return -EINVAL;
	texts->items = calloc(n / 2, sizeof *texts->items);
	if (!texts->items)
		return -ENOMEM;
	for (char *p = texts->bytes; p < texts->bytes + size;) {
		struct config_text *text = &texts->items[texts->n++];
		text->path = p;
		text->text = p + strlen(p) + 1;
		p = text->text + strlen(text->text) + 1;
	}
	return 0;
}

int texts_file_read(int fd, struct texts *ret_texts)
{
	struct stat status;
	*ret_texts = (struct texts){ 0 };
	if (fstat(fd, &status) < 0)
		return -errno;
	size_t size = (size_t)status.st_size;
	ret_texts->bytes = malloc(size + 1);
	if (!ret_texts->bytes)
		return -ENOMEM;
	if (pread(fd, ret_texts->bytes, size, 0) != (ssize_t)size || size == 0)
		return -EINVAL;
	return split_texts(ret_texts, size);
}

void texts_fini(struct texts *texts)
{
	free(texts->bytes);
	free(texts->items);
}
