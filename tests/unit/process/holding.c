#include "process/holding.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"

static ino_t inode_of(int fd)
{
	struct stat status;
	cr_assert_eq(fstat(fd, &status), 0);
	return status.st_ino;
}

Test(holding, sees_a_socket_of_this_and_of_another_process)
{
	fd_auto int first = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	fd_auto int second = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ino_t inodes[] = { inode_of(first), inode_of(second) };
	cr_expect(process_holds_socket(getpid(), inodes, 2));
	cr_expect(!process_holds_socket(getpid(), inodes, 0));
	pid_t pid = fork();
	if (pid == 0) {
		close(first);
		pause();
		_exit(0);
	}
	fd_close(&second);
	cr_expect(!process_holds_socket(getpid(), inodes + 1, 1));
	cr_expect(process_holds_socket(pid, inodes + 1, 1));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	cr_expect(!process_holds_socket(pid, inodes, 2), "who is gone holds nothing");
}
