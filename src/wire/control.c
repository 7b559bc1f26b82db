#include "wire/control.h"

#include "wire/network.h"

size_t control_access_size(const struct control_access *message)
{
	return ((size_t)message->n_allow + message->n_deny) * sizeof(struct network) +
	       message->n_windows * sizeof(struct window) + message->refuse_length +
	       message->banner_length;
}

unsigned control_size(uint32_t kind)
{
	switch (kind) {
	case CONTROL_SERVICE:
		return sizeof(struct control_service);
	case CONTROL_READY:
		return sizeof(struct control_ready);
	case CONTROL_ACCESS:
		return sizeof(struct control_access);
	case CONTROL_ZONE:
		return sizeof(struct control_zone);
	case CONTROL_LISTENER:
	case CONTROL_LISTENER_CLOSE:
		return sizeof(struct control_listener);
	case CONTROL_WORKER_GONE:
	case CONTROL_WORKER_ENDING:
	case CONTROL_CHILD_ENDED:
	case CONTROL_WORKER_WORN:
	case CONTROL_WORKER_SLOTS:
		return sizeof(struct control_process);
	case CONTROL_TOLL:
		return sizeof(struct control_toll);
	case CONTROL_COMMAND_DIED:
		return sizeof(struct control_command);
	case CONTROL_SEVERED:
	case CONTROL_LAPSED:
		return sizeof(struct control_connection);
	case CONTROL_PAUSE:
	case CONTROL_RESUME:
	case CONTROL_FORGET:
	case CONTROL_QUEUE:
	case CONTROL_NEED_QUEUE:
	case CONTROL_QUEUE_BACK:
	case CONTROL_QUEUE_CLOSED:
	case CONTROL_SYNC:
	case CONTROL_LIST:
	case CONTROL_ESTATE_OUT:
	case CONTROL_ESTATE_IN:
	case CONTROL_UNGUARDED:
	case CONTROL_LISTED:
	case CONTROL_SYNCED:
		return sizeof(struct control_number);
	}
	return 0;
}

const char *severance_name(uint32_t reason)
{
	static const char *const names[SEVERANCES] = {
		[SEVERANCE_FIRST_BYTE] = "first_byte_timeout",
		[SEVERANCE_SILENCE] = "silence_timeout",
		[SEVERANCE_DURATION] = "max_duration",
		[SEVERANCE_ORDER] = "kill-connection",
	};
	return reason < SEVERANCES ? names[reason] : NULL;
}
