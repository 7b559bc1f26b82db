/*
 * Where connections are forwarded to: what the administrator wrote, and the socket addresses that
 * came of it.
 */
#ifndef FDSUP_REDIRECT_ADDRESS_H
#define FDSUP_REDIRECT_ADDRESS_H

#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

struct address {
	socklen_t size;
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
	};
};

/* Of more addresses than this a name has, the first are used. */
enum { ADDRESSES_MAX = 16 };

struct addresses {
	size_t n;
	struct address list[ADDRESSES_MAX];
};

enum { TARGET_HOST_SIZE = 256, TARGET_PORT_SIZE = 8, TARGET_ERROR_SIZE = 256 };

/* "host:port", "[::1]:port", "unix:/path" or "unix:@name". */
struct target {
	const char *text; /* as it was written */
	bool is_unix;
	struct address socket;       /* is_unix */
	char host[TARGET_HOST_SIZE]; /* else: a name or an address */
	char port[TARGET_PORT_SIZE]; /* a number */
};

/* True; or false and a sentence that says what is wrong and what would be right. */
bool target_parse(struct target *target, const char *text, char ret_error[TARGET_ERROR_SIZE]);

/*
 * The addresses of a look-up, each once, in the order of getaddrinfo(3) but with the families by
 * turns: when one of them leads nowhere the other is not far away.
 */
void addresses_from_list(struct addresses *addresses, const struct addrinfo *list);

enum { ADDRESS_TEXT_SIZE = 128 };

/* For a log line. Returns text. */
char *address_format(char text[ADDRESS_TEXT_SIZE], const struct address *address);

#endif
