/*
 * explain: one paragraph, in lines as wide as the terminal.
 */
#include "ctl/verbs.h"

#include <string.h>

#include "ctl/ask.h"
#include "ctl/display.h"
#include "ctl/exitcode.h"
#include "ctl/paragraph.h"
#include "ctl/reply.h"

int run_explain(struct ctl *ctl)
{
	static const struct question question = { "Explain", NULL };
	struct client_reply reply;
	int code = ask(ctl, &question, json_pack("{s:s}", "service", ctl->names[0]), &reply);
	if (code != CTL_OK)
		return code;
	const json_t *sentences = json_object_get(reply.parameters, "sentences");
	if (ctl->is_json) {
		print_json(ctl, reply.parameters);
	} else {
		struct paragraph paragraph = paragraph_begin(ctl->out, &ctl->look);
		for (size_t i = 0; i < json_array_size(sentences); i++)
			paragraph_add(&paragraph, json_string_value(json_array_get(sentences, i)));
		paragraph_end(&paragraph);
	}
	client_reply_fini(&reply);
	return CTL_OK;
}
