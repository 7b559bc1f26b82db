/*
 * Runs a command, some of whose system calls, and those of all it starts, fail as a file says: now,
 * no longer, or differently, whenever the file changes. For errors that pass.
 *
 *     inject FILE CALL[,CALL...] COMMAND [ARGUMENT...]
 *
 * A line of the file: CALL ERRNO [FIRST-ARGUMENT]. Error 0 is the worst: the call says that it did
 * what it did not do. Without the file, or a line for it, a call is carried out. The kernel asks us
 * for each call: seccomp_unotify(2); a process of no relation to the command answers and ends with it.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct call {
	const char *name;
	long number;
} calls[] = {
	{ "accept4", SYS_accept4 },
	{ "clone", SYS_clone },
	{ "clone3", SYS_clone3 },
#ifdef SYS_vfork
	{ "vfork", SYS_vfork },
#endif
#ifdef SYS_fork
	{ "fork", SYS_fork },
#endif
	{ "execve", SYS_execve },
	{ "socket", SYS_socket },
	{ "setgroups", SYS_setgroups },
	{ "setresgid", SYS_setresgid },
	{ "setresuid", SYS_setresuid },
	{ "setgid", SYS_setgid },
	{ "setuid", SYS_setuid },
	/* Where the plain ones are those of 16 bits. */
#ifdef SYS_setresuid32
	{ "setgroups", SYS_setgroups32 },
	{ "setresgid", SYS_setresgid32 },
	{ "setresuid", SYS_setresuid32 },
	{ "setgid", SYS_setgid32 },
	{ "setuid", SYS_setuid32 },
#endif
};
enum { N_CALLS = sizeof calls / sizeof *calls };

static void fail(const char *what)
{
	perror(what);
	exit(125);
}

static const char *name_of(long number)
{
	for (size_t i = 0; i < N_CALLS; i++)
		if (calls[i].number == number)
			return calls[i].name;
	return "";
}

/* The error to give, or -1: carry it out. */
static int decide(const char *path, const struct seccomp_data *data)
{
	char line[128], name[32];
	int result = -1;
	FILE *file = fopen(path, "re");
	while (file && fgets(line, sizeof line, file)) {
		unsigned long long first;
		int error, n = sscanf(line, "%31s %d %llu", name, &error, &first);
		if (n >= 2 && !strcmp(name, name_of(data->nr)) && (n < 3 || first == data->args[0]))
			result = error;
	}
	if (file)
		fclose(file);
	return result;
}

static void answer(int notify_fd, const char *path)
{
	struct seccomp_notif asked;
	struct seccomp_notif_resp response;
	memset(&asked, 0, sizeof asked);
	if (ioctl(notify_fd, SECCOMP_IOCTL_NOTIF_RECV, &asked) < 0)
		return; /* it was killed meanwhile */
	int error = decide(path, &asked.data);
	response = (struct seccomp_notif_resp){
		.id = asked.id,
		.error = error > 0 ? -error : 0,
		.flags = error < 0 ? SECCOMP_USER_NOTIF_FLAG_CONTINUE : 0,
	};
	ioctl(notify_fd, SECCOMP_IOCTL_NOTIF_SEND, &response);
}

static void serve(int notify_fd, const char *path)
{
	struct pollfd polled = { .fd = notify_fd, .events = POLLIN };
	while (poll(&polled, 1, -1) >= 0 || errno == EINTR) {
		if (polled.revents & POLLIN)
			answer(notify_fd, path);
		else if (polled.revents & (POLLHUP | POLLERR))
			break;
	}
	_exit(0);
}

static int receive(int socket)
{
	char byte;
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { &byte, 1 };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
		.msg_controllen = sizeof control };
	int fd = -1;
	if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) == 1 && CMSG_FIRSTHDR(&message))
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
	return fd;
}

static void give(int socket, int fd)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .header = { CMSG_LEN(sizeof fd), SOL_SOCKET, SCM_RIGHTS } };
	struct iovec iov = { "", 1 };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
		.msg_controllen = sizeof control };
	memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
	if (sendmsg(socket, &message, 0) != 1)
		fail("sendmsg");
}

/* A grandchild, whose parent ends at once, waits for the descriptor at its end of the socket. */
static int start_server(const char *path)
{
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		fail("socketpair");
	pid_t pid = fork();
	if (pid < 0)
		fail("fork");
	if (pid == 0) {
		if (fork() != 0)
			_exit(0);
		setsid();
		int notify_fd = receive(ends[1]);
		if (notify_fd < 0)
			_exit(1);
		dup2(notify_fd, 0);
		close_range(1, ~0U, 0);
		serve(0, path);
	}
	waitpid(pid, NULL, 0);
	close(ends[1]);
	return ends[0];
}

static size_t put_calls(char *names, struct sock_filter *steps)
{
	size_t n = 0;
	steps[n++] = (struct sock_filter)BPF_STMT(
		BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (char *name = strtok(names, ","); name; name = strtok(NULL, ","))
		for (size_t i = 0; i < N_CALLS; i++)
			if (!strcmp(calls[i].name, name)) {
				steps[n++] = (struct sock_filter)BPF_JUMP(
					BPF_JMP | BPF_JEQ | BPF_K, (unsigned)calls[i].number, 0, 1);
				steps[n++] = (struct sock_filter)BPF_STMT(
					BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
			}
	steps[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	return n;
}

int main(int argc, char **argv)
{
	struct sock_filter steps[2 * N_CALLS + 2];
	if (argc < 4) {
		fprintf(stderr, "usage: inject FILE CALL[,CALL...] COMMAND [ARGUMENT...]\n");
		return 125;
	}
	int server = start_server(argv[1]);
	struct sock_fprog program = { (unsigned short)put_calls(argv[2], steps), steps };
	if (geteuid() != 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		fail("prctl");
	int notify_fd = (int)syscall(
		SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
	if (notify_fd < 0)
		fail("seccomp");
	give(server, notify_fd);
	close(server);
	close(notify_fd);
	execvp(argv[3], argv + 3);
	fail(argv[3]);
}
