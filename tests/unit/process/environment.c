#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "process/environment.h"

static struct account account = { .user = "www", .home = "/srv", .shell = "/bin/false" };

static struct service_config service_of(enum service_type type)
{
	static struct service_surroundings surroundings;
	static struct service_supervision supervision;
	surroundings = (struct service_surroundings){ 0 };
	supervision = (struct service_supervision){ 0 };
	return (struct service_config){
		.surroundings = &surroundings,
		.supervision = &supervision,
		.name = "web",
		.type = type,
		.account = &account,
	};
}

static const char *find(char **environment, const char *name)
{
	size_t length = strlen(name);
	for (; *environment; environment++)
		if (!strncmp(*environment, name, length) && (*environment)[length] == '=')
			return *environment + length + 1;
	return NULL;
}

static size_t count(char **environment)
{
	size_t n = 0;
	while (environment[n])
		n++;
	return n;
}

Test(environment, is_the_documented_set_and_no_more)
{
	setenv("SECRET", "of the supervisor", 1);
	struct service_config service = service_of(SERVICE_EXEC);
	char **environment = environment_create(&service, service.n_listen, "/run/notify");
	cr_assert_not_null(environment);
	cr_expect_eq(count(environment), 6);
	cr_expect_str_eq(find(environment, "PATH"), environment_default_path);
	cr_expect_str_eq(find(environment, "HOME"), "/srv");
	cr_expect_str_eq(find(environment, "USER"), "www");
	cr_expect_str_eq(find(environment, "LOGNAME"), "www");
	cr_expect_str_eq(find(environment, "SHELL"), "/bin/false");
	cr_expect_str_eq(find(environment, "FDSUP_SERVICE"), "web");
	free(environment);
}

Test(environment, what_is_passed_comes_before_what_is_set_and_neither_changes_the_service)
{
	setenv("TZ", "UTC", 1);
	unsetenv("ABSENT");
	char *passed[] = { "TZ", "ABSENT", "LANG" };
	char *set[] = { "LANG=C", "PATH=/bin", "FDSUP_SERVICE=other", "EMPTY=" };
	setenv("LANG", "de", 1);
	struct service_config service = service_of(SERVICE_EXEC);
	service.surroundings->pass_environment = (struct text_list){ passed, 3 };
	service.surroundings->environment = (struct text_list){ set, 4 };
	char **environment = environment_create(&service, service.n_listen, NULL);
	cr_expect_str_eq(find(environment, "TZ"), "UTC");
	cr_expect_str_eq(find(environment, "LANG"), "C");
	cr_expect_str_eq(find(environment, "PATH"), "/bin");
	cr_expect_str_eq(find(environment, "EMPTY"), "");
	cr_expect_null(find(environment, "ABSENT"));
	cr_expect_str_eq(find(environment, "FDSUP_SERVICE"), "web");
	cr_expect_eq(count(environment), 9);
	free(environment);
}

Test(environment, a_worker_finds_its_queue_and_where_to_tell_that_it_is_ready)
{
	struct service_config service = service_of(SERVICE_WORKER);
	service.supervision->ready = READY_NOTIFY;
	service.supervision->watchdog = 1500;
	char **environment = environment_create(&service, service.n_listen, "/run/notify");
	cr_expect_str_eq(find(environment, "FDSUP_QUEUE"), "3");
	cr_expect_str_eq(find(environment, "NOTIFY_SOCKET"), "/run/notify");
	cr_expect_str_eq(find(environment, "WATCHDOG_USEC"), "1500000");
	cr_expect_null(environment_listen_pid(environment));
	free(environment);
}

Test(environment, a_program_that_accepts_itself_finds_its_sockets)
{
	struct service_config service = service_of(SERVICE_LISTEN);
	service.n_listen = 3;
	char **environment = environment_create(&service, service.n_listen, NULL);
	cr_expect_str_eq(find(environment, "LISTEN_FDS"), "3");
	cr_expect_str_eq(find(environment, "LISTEN_FDNAMES"), "web:web:web");
	cr_assert_not_null(environment_listen_pid(environment));
	cr_expect_geq(strlen(environment_listen_pid(environment)), 10);
	free(environment);
	service.is_inetd = true;
	environment = environment_create(&service, service.n_listen, NULL);
	cr_expect_null(find(environment, "LISTEN_FDS"));
	cr_expect_null(environment_listen_pid(environment));
	free(environment);
}

Test(environment, the_descriptor_for_readiness_comes_after_the_others)
{
	struct listen_address addresses[3] = { { .path = NULL } };
	struct service_config service = service_of(SERVICE_DAEMON);
	service.supervision->ready = READY_FD;
	char **environment = environment_create(&service, service.n_listen, "/run/notify");
	cr_expect_str_eq(find(environment, "FDSUP_READY_FD"), "3");
	cr_expect_null(find(environment, "NOTIFY_SOCKET"));
	free(environment);
	service.type = SERVICE_WORKER;
	service.listen = addresses;
	service.n_listen = 3;
	cr_expect_eq(environment_ready_fd(&service, service.n_listen), 4);
	service.type = SERVICE_LISTEN;
	cr_expect_eq(environment_ready_fd(&service, service.n_listen), 6);
	service.is_inetd = true;
	cr_expect_eq(environment_ready_fd(&service, service.n_listen), 3);
	service.supervision->ready = READY_NOTIFY;
	environment = environment_create(&service, service.n_listen, "/run/notify");
	cr_expect_null(find(environment, "FDSUP_READY_FD"));
	free(environment);
}
