#include "ctl/socket_path.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#define USER_PATH "/run/user/7/fdsup/admin.sock"

Test(socket_path, the_first_that_is_given_is_taken)
{
	static const struct {
		struct socket_choice choice;
		const char *path;
	} cases[] = {
		{ { "/a", "/b", "/run/user/7", true, true }, "/a" },
		{ { NULL, "/b", "/run/user/7", true, true }, "/b" },
		{ { "", "", "/run/user/7", false, true }, SOCKET_PATH_SYSTEM },
		{ { NULL, NULL, "/run/user/7", true, false }, SOCKET_PATH_SYSTEM },
		{ { NULL, NULL, "/run/user/7", false, false }, USER_PATH },
		{ { NULL, NULL, "/run/user/7", false, true, true }, USER_PATH },
		{ { NULL, NULL, "/run/user/7", true, true, true }, SOCKET_PATH_SYSTEM },
		{ { NULL, NULL, NULL, false, false }, SOCKET_PATH_SYSTEM },
		{ { NULL, NULL, "", false, false }, SOCKET_PATH_SYSTEM },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char *path = socket_path_choose(&cases[i].choice);
		cr_expect_str_eq(path, cases[i].path);
		free(path);
	}
}

Test(socket_path, files_lie_beside_the_socket)
{
	static const char *const cases[][2] = { { "/run/fdsup/admin.sock", "/run/fdsup/listeners" },
		{ "admin.sock", "listeners" }, { "/admin.sock", "/listeners" },
		{ "a/b", "a/listeners" } };
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char *path = socket_path_beside(cases[i][0], "listeners");
		cr_expect_str_eq(path, cases[i][1]);
		free(path);
	}
}
