#include "fixture.h"

TestSuite(include, .init = enter_folder, .fini = leave_folder, .timeout = 60);

#define SERVICE(name) "services = { " name " = { command = \"/bin/cat\"; }; };"

Test(include, reads_the_conf_files_of_a_folder_beside_the_main_file)
{
	mkdir("d", 0755);
	write_file("d/20.conf", SERVICE("b"));
	write_file("d/10.conf", SERVICE("a"));
	write_file("d/.hidden.conf", "nonsense");
	write_file("d/x.conf~", "nonsense");
	write_file("d/.conf", "nonsense");
	write_file("d/README", "nonsense");
	struct config *config = load_good("include = \"d\"; defaults = { umask = \"077\"; };"
					  "services = { c = { command = \"/bin/cat\"; }; };");
	cr_assert_eq(config->n_services, 3);
	cr_expect_str_eq(config->services[0]->file, "d/10.conf");
	cr_expect_str_eq(config->services[1]->file, "d/20.conf");
	cr_expect_eq(config->services[1]->surroundings->umask, 077);
	config_free(config);
	char *text = NULL;
	cr_assert_geq(asprintf(&text, "include = [ \"%s/d\" ];", folder), 0);
	config = load_good(text);
	cr_expect_eq(config->n_services, 2);
	config_free(config);
	free(text);
}

Test(include, may_find_an_empty_folder)
{
	mkdir("d", 0755);
	struct config *config = load_good("\ninclude = \"d\";");
	cr_assert_eq(config->warnings.n, 1);
	cr_expect(strstr(config->warnings.items[0], "main.conf:2: include: no file of the folder \"d\""));
	cr_expect(strstr(config->warnings.items[0], "\".conf\""));
	config_free(config);
}

Test(include, warns_of_a_folder_whose_files_have_other_names)
{
	mkdir("d", 0755);
	write_file("d/a.con", SERVICE("a"));
	struct config *config = load_good("include = \"d\";");
	cr_expect_eq(config->n_services, 0);
	cr_expect_eq(config->warnings.n, 1);
	config_free(config);
	write_file("d/a.conf", SERVICE("a"));
	config = load_good("include = \"d\";");
	cr_expect_eq(config->warnings.n, 0);
	config_free(config);
}

Test(include, allows_services_and_nothing_else)
{
	mkdir("d", 0755);
	write_file(
		"d/a.conf", "acceptors = 2;\n" SERVICE("a") "\ndefaults = { };\nservises = 1;\n");
	write_file("main.conf", "include = \"d\";");
	struct config_errors errors = load_bad_file();
	assert_error_of(&errors, "d/a.conf:1: acceptors:", "at the top of the main file", NULL);
	assert_error_of(&errors, "d/a.conf:3: defaults:", "at the top of the main file", NULL);
	assert_error_of(&errors, "d/a.conf:4: servises:", "did you mean \"services\"?", NULL);
	cr_expect_eq(errors.n, 3);
	config_errors_free(&errors);
}

Test(include, goes_on_after_a_file_with_a_syntax_error)
{
	mkdir("d", 0755);
	write_file("d/a.conf", "services = {\n");
	write_file(
		"d/b.conf", "services = { b = { quue = 1; command = \"/bin/cat\"; port = 1; }; };");
	write_file("main.conf", "include = \"d\";");
	struct config_errors errors = load_bad_file();
	assert_error_of(&errors, "d/a.conf:1: the group that begins here is not closed", NULL);
	assert_error_of(&errors, "d/b.conf:1: services.b.quue:", NULL);
	config_errors_free(&errors);
}

Test(include, of_a_folder_that_holds_the_main_file_is_no_loop)
{
	write_file("main.conf", "include = \".\";" SERVICE("a"));
	write_file("other.conf", SERVICE("b"));
	struct config_errors errors = load_bad_file();
	cr_expect_eq(errors.n, 1);
	assert_error_of(&errors, "./main.conf:", "has been read already", "remove the link", NULL);
	config_errors_free(&errors);
}

Test(include, of_a_link_to_a_file_that_was_read_is_no_loop)
{
	mkdir("d", 0755);
	write_file("d/a.conf", SERVICE("a"));
	cr_assert_eq(symlink("a.conf", "d/b.conf"), 0);
	cr_assert_eq(symlink("../main.conf", "d/c.conf"), 0);
	cr_assert_eq(link("d/a.conf", "d/d.conf"), 0);
	write_file("main.conf", "include = \"d\";");
	struct config_errors errors = load_bad_file();
	cr_expect_eq(errors.n, 3);
	assert_error_of(&errors, "d/b.conf:", "has been read already", NULL);
	assert_error_of(&errors, "d/c.conf:", "has been read already", NULL);
	assert_error_of(&errors, "d/d.conf:", "has been read already", NULL);
	config_errors_free(&errors);
}

Test(include, within_an_included_file_is_refused)
{
	mkdir("d", 0755);
	write_file("d/a.conf", "include = \".\";\n" SERVICE("a"));
	write_file("main.conf", "include = \"d\";");
	struct config_errors errors = load_bad_file();
	cr_expect_eq(errors.n, 1);
	assert_error_of(&errors, "d/a.conf:1: include:", "at the top of the main file", NULL);
	config_errors_free(&errors);
}

Test(include, of_one_folder_twice_is_refused)
{
	mkdir("d", 0755);
	cr_assert_eq(symlink("d", "e"), 0);
	assert_refused("include = [ \"d\", \"e\" ];", "main.conf:1: include:", "included twice");
}

Test(include, of_what_is_no_safe_folder_is_refused)
{
	mkdir("d", 0755);
	write_file("file", "");
	mkfifo("fifo", 0644);
	assert_refused("include = \"none\";", "\"none\" cannot be read", "create it");
	assert_refused("include = \"file\";", "\"file\" cannot be read", "name the folder");
	assert_refused("include = \"fifo\";", "\"fifo\" cannot be read", "name the folder");
	chmod("d", 0777);
	assert_refused("include = \"d\";", "writable by everybody", "chmod go-w");
	chmod("d", 0755);
	mkfifo("d/x.conf", 0644);
	assert_refused("include = \"d\";", "d/x.conf:", "FIFO");
	unlink("d/x.conf");
	write_file("d/x.conf", "");
	chmod("d/x.conf", 0666);
	assert_refused("include = \"d\";", "d/x.conf:", "chmod go-w d/x.conf");
}

Test(include, names_both_places_of_a_service_declared_twice)
{
	mkdir("d", 0755);
	write_file("d/a.conf", "\n" SERVICE("a"));
	assert_refused("include = \"d\";\n" SERVICE("a"), "services.a: is declared in", "");
	assert_refused("include = \"d\";\n" SERVICE("a"), "d/a.conf:2", "main.conf:2");
}
