/* What a well-behaved client may rely on: Varlink, order, roles. */
#include "fixture.h"

#include <grp.h>

TestSuite(admin, .init = start_server, .fini = stop_server, .timeout = 60);

Test(admin, tells_about_itself)
{
	int fd = connect_client();
	send_request(fd, "{\"method\":\"org.varlink.service.GetInfo\"}");
	expect(fd,
		"{\"parameters\":{\"vendor\":\"fdsup\",\"product\":\"fdsup\",\"version\":\"1.2\","
		"\"url\":\"https://example.org\","
		"\"interfaces\":[\"org.varlink.service\",\"org.fdsup\"]}}");
	close(fd);
}

static void expect_description(int fd, const char *text)
{
	json_t *reply = receive_json(fd);
	json_t *parameters = json_object_get(reply, "parameters");
	cr_expect_str_eq(json_string_value(json_object_get(parameters, "description")), text);
	json_decref(reply);
}

Test(admin, describes_both_interfaces)
{
	int fd = connect_client();
	send_request(fd, "{\"method\":\"org.varlink.service.GetInterfaceDescription\","
			 "\"parameters\":{\"interface\":\"org.fdsup\"}}");
	expect_description(fd, description_fdsup);
	send_request(fd, "{\"method\":\"org.varlink.service.GetInterfaceDescription\","
			 "\"parameters\":{\"interface\":\"org.varlink.service\"}}");
	expect_description(fd, description_varlink_service);
	close(fd);
}

Test(admin, names_what_is_wrong_with_a_call)
{
	static const struct {
		const char *request, *reply;
	} cases[] = {
		{ "{\"method\":\"org.example.Echo\"}",
			"{\"error\":\"org.varlink.service.InterfaceNotFound\","
			"\"parameters\":{\"interface\":\"org.example\"}}" },
		{ "{\"method\":\"Echo\"}", "{\"error\":\"org.varlink.service.InterfaceNotFound\","
					   "\"parameters\":{\"interface\":\"Echo\"}}" },
		{ "{\"method\":\"org.fdsup.echo\"}",
			"{\"error\":\"org.varlink.service.MethodNotFound\","
			"\"parameters\":{\"method\":\"org.fdsup.echo\"}}" },
		{ "{\"method\":\"org.fdsup.\"}",
			"{\"error\":\"org.varlink.service.MethodNotFound\","
			"\"parameters\":{\"method\":\"org.fdsup.\"}}" },
		{ "{\"method\":\"org.fdsup.Echo\",\"upgrade\":true}",
			"{\"error\":\"org.varlink.service.MethodNotImplemented\","
			"\"parameters\":{\"method\":\"org.fdsup.Echo\"}}" },
		{ "{\"method\":\"org.varlink.service.GetInterfaceDescription\"}",
			"{\"error\":\"org.varlink.service.InvalidParameter\","
			"\"parameters\":{\"parameter\":\"interface\"}}" },
		{ "{\"method\":\"org.varlink.service.GetInterfaceDescription\","
		  "\"parameters\":{\"interface\":\"org.example\"}}",
			"{\"error\":\"org.varlink.service.InterfaceNotFound\","
			"\"parameters\":{\"interface\":\"org.example\"}}" },
	};
	int fd = connect_client();
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		send_bytes(fd, cases[i].request, strlen(cases[i].request) + 1);
		expect(fd, cases[i].reply);
	}
	close(fd);
}

Test(admin, gives_a_verb_an_object_even_without_parameters)
{
	int fd = connect_client();
	send_request(fd, "{\"method\":\"org.fdsup.Echo\"}");
	expect(fd, "{\"parameters\":{}}");
	send_request(fd, "{\"method\":\"org.fdsup.Echo\",\"parameters\":null}");
	expect(fd, "{\"parameters\":{}}");
	close(fd);
}

Test(admin, answers_pipelined_requests_in_order_even_if_the_first_takes_long)
{
	int fd = connect_client();
	send_request(fd, "{\"method\":\"org.fdsup.Later\"}\0"
			 "{\"method\":\"org.fdsup.Echo\",\"parameters\":{\"n\":2}}\0"
			 "{\"method\":\"org.fdsup.Echo\",\"parameters\":{\"n\":3}}");
	turn();
	cr_assert_eq(n_later, 1);
	admin_reply(later[0], json_pack("{s:i}", "n", 1));
	expect(fd, "{\"parameters\":{\"n\":1}}");
	expect(fd, "{\"parameters\":{\"n\":2}}");
	expect(fd, "{\"parameters\":{\"n\":3}}");
	close(fd);
}

Test(admin, takes_a_request_in_any_pieces)
{
	static const char request[] = "{\"method\":\"org.fdsup.Echo\",\"parameters\":{\"n\":2}}";
	int fd = connect_client();
	for (size_t i = 0; i < sizeof request; i++) {
		send_bytes(fd, request + i, 1);
		turn();
	}
	expect(fd, "{\"parameters\":{\"n\":2}}");
	close(fd);
}

Test(admin, sends_nothing_for_oneway_and_goes_on)
{
	int fd = connect_client();
	send_request(fd, "{\"method\":\"org.fdsup.Change\",\"oneway\":true}\0"
			 "{\"method\":\"org.fdsup.Nothing\",\"oneway\":true}\0"
			 "{\"method\":\"org.fdsup.Echo\"}");
	expect(fd, "{\"parameters\":{}}");
	cr_expect_eq(n_changes, 1);
	close(fd);
}

Test(admin, serves_oneway_requests_of_a_client_that_has_left)
{
	int fd = connect_client();
	for (int i = 0; i < 5; i++)
		send_request(fd, "{\"method\":\"org.fdsup.Change\",\"oneway\":true}");
	close(fd);
	turn();
	turn();
	cr_expect_eq(n_changes, 5);
}

Test(admin, answers_a_client_that_has_closed_only_its_sending_side)
{
	int fd = connect_client();
	send_request(fd, "{\"method\":\"org.fdsup.Later\"}");
	shutdown(fd, SHUT_WR);
	turn();
	cr_assert_eq(n_later, 1);
	admin_reply(later[0], NULL);
	expect(fd, "{\"parameters\":{}}");
	expect_end(fd);
	close(fd);
}

Test(admin, streams_with_continues_where_more_is_asked)
{
	int fd = connect_client();
	send_request(
		fd, "{\"method\":\"org.fdsup.Stream\",\"more\":true,\"parameters\":{\"n\":2}}");
	expect(fd, "{\"parameters\":{\"i\":0},\"continues\":true}");
	expect(fd, "{\"parameters\":{\"i\":1},\"continues\":true}");
	expect(fd, "{\"parameters\":{}}");
	send_request(fd, "{\"method\":\"org.fdsup.Stream\",\"parameters\":{\"n\":2}}");
	expect(fd, "{\"parameters\":{}}");
	close(fd);
}

Test(admin, ends_a_stream_that_nobody_reads)
{
	int fd = connect_client();
	send_request(fd, "{\"method\":\"org.fdsup.Later\",\"more\":true}");
	turn();
	unsigned n = 0;
	while (n < 1000000 && admin_reply_more(later[0], json_pack("{s:s}", "text", "0123456789")))
		n++;
	cr_expect(n > 100 && n < 20000, "%u answers were kept", n);
	admin_reply(later[0], NULL);
	close(fd);
}

Test(admin, tells_a_stream_that_the_client_has_gone)
{
	int fd = connect_client();
	send_request(fd, "{\"method\":\"org.fdsup.Later\",\"more\":true}");
	turn();
	cr_expect(admin_reply_more(later[0], NULL));
	close(fd);
	turn();
	cr_expect_not(admin_reply_more(later[0], NULL));
	admin_reply(later[0], NULL);
}

Test(admin, lets_a_call_answer_into_the_void)
{
	int fd = connect_client();
	send_request(fd, "{\"method\":\"org.fdsup.Later\"}");
	turn();
	close(fd);
	turn();
	int other = connect_client();
	send_request(other, "{\"method\":\"org.fdsup.Later\"}");
	turn();
	cr_assert_eq(n_later, 2);
	admin_reply(later[0], json_object());
	expect_alive();
	admin_server_destroy(server);
	server = NULL;
	cr_expect_eq(admin_call_peer(later[1])->pid, getpid());
	admin_error(later[1], "InvalidParameter", NULL);
	close(other);
}

Test(admin, denies_by_role_and_says_so_once)
{
	role = ADMIN_ROLE_STATUS;
	int fd = connect_client();
	send_request(fd, "{\"method\":\"org.fdsup.Change\"}");
	expect(fd,
		"{\"error\":\"org.fdsup.PermissionDenied\",\"parameters\":{\"role\":\"control\"}}");
	cr_expect_eq(n_changes, 0);
	cr_expect_eq(n_logged, 1);
	char who[64];
	snprintf(who, sizeof who, "uid %u pid %d org.fdsup.Change", getuid(), getpid());
	cr_expect(strstr(logged, who), "%s", logged);
	send_request(fd, "{\"method\":\"org.fdsup.Echo\"}");
	expect(fd, "{\"parameters\":{}}");
	close(fd);
}

Test(admin, gives_a_stranger_one_answer_and_no_second_hearing)
{
	role = ADMIN_ROLE_NONE;
	int fd = connect_client();
	send_request(fd,
		"{\"method\":\"org.varlink.service.GetInfo\"}\0{\"method\":\"org.fdsup.Change\"}");
	expect(fd,
		"{\"error\":\"org.fdsup.PermissionDenied\",\"parameters\":{\"role\":\"status\"}}");
	expect_end(fd);
	cr_expect_eq(n_changes, 0);
	close(fd);
}

Test(admin, does_not_tell_a_stranger_which_methods_exist)
{
	role = ADMIN_ROLE_NONE;
	int fd = connect_client();
	send_request(fd, "{\"method\":\"org.example.None\"}");
	expect(fd,
		"{\"error\":\"org.fdsup.PermissionDenied\",\"parameters\":{\"role\":\"status\"}}");
	close(fd);
}

Test(admin, escapes_and_bounds_the_method_it_logs)
{
	char request[3000] = "{\"method\":\"org.fdsup.\\n\\u001b[2J";
	size_t used = strlen(request);
	memset(request + used, 'x', 2900);
	memcpy(request + used + 2900, "\"}", 3);
	role = ADMIN_ROLE_NONE;
	int fd = connect_client();
	send_bytes(fd, request, strlen(request) + 1);
	json_decref(receive_json(fd));
	cr_expect(strstr(logged, "org.fdsup.\\x0a\\x1b[2Jxxx"), "%s", logged);
	cr_expect(!strpbrk(logged, "\n\033") && strlen(logged) < 300);
	close(fd);
}

Test(admin, takes_a_role_away_from_a_client_that_stays)
{
	int fd = connect_client();
	send_request(fd, "{\"method\":\"org.fdsup.Change\"}");
	expect(fd, "{\"parameters\":{}}");
	role = ADMIN_ROLE_STATUS;
	send_request(fd, "{\"method\":\"org.fdsup.Change\"}");
	expect(fd,
		"{\"error\":\"org.fdsup.PermissionDenied\",\"parameters\":{\"role\":\"control\"}}");
	close(fd);
}

Test(admin, counts_supplementary_groups_of_the_peer)
{
	gid_t groups[] = { 12345, 23456 };
	if (setgroups(2, groups) < 0)
		cr_skip("setting groups needs root");
	role = ADMIN_ROLE_NONE;
	extra_group = 23456;
	role_of_extra_group = ADMIN_ROLE_CONTROL;
	int fd = connect_client();
	send_request(fd, "{\"method\":\"org.fdsup.Change\"}");
	expect(fd, "{\"parameters\":{}}");
	close(fd);
}
