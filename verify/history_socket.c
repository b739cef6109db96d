#include "history_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "address.h"
#include "../traces/array.h"

struct history_socket *socket_get(const struct history *history, uint32_t socket)
{
	return socket > 0 && socket <= history->sockets_count ? &history->sockets[socket - 1] : NULL;
}

static struct history_socket *of_handle(const struct moment *moment, uint32_t handle)
{
	const struct history_handle *found = handle_get(moment->history, handle);
	return found ? socket_get(moment->history, found->socket) : NULL;
}

static uint32_t number_of(const struct moment *moment, const struct history_socket *socket)
{
	return (uint32_t)(socket - moment->history->sockets) + 1;
}

/* The address in an argument of the call, kept; NULL when it has none. */
static const char *address_in(const struct moment *moment, uint8_t argument, uint8_t direction)
{
	char text[ADDRESS_BYTES];
	for (size_t i = 0; i < moment->event->payloads_count; i++) {
		const struct payload *p = &moment->event->payloads[i];
		if (p->arg != argument || p->direction != direction || p->length < sizeof(sa_family_t))
			continue;
		address_text(p->bytes, p->length, text);
		return pool_keep_text(&moment->inside->pool, text);
	}
	return NULL;
}

void socket_new(const struct moment *moment, uint32_t handle, const int parameters[3])
{
	struct history_socket *socket = handle ? HISTORY_ADD(moment->history, sockets) : NULL;
	if (!socket)
		return;
	socket->handle = handle;
	socket->process = moment->thread->process;
	socket->domain = parameters[0];
	socket->type = parameters[1] & 0xf;
	socket->protocol = parameters[2];
	socket->event = moment->event->number;
	if (socket->type == SOCK_DGRAM || socket->type == SOCK_RAW)
		socket->role = ROLE_DATAGRAM;
	handle_get(moment->history, handle)->socket = (uint32_t)moment->history->sockets_count;
}

void socket_pair(const struct moment *moment, uint32_t a, uint32_t b)
{
	struct history_socket *first = of_handle(moment, a), *second = of_handle(moment, b);
	if (!first || !second)
		return;
	first->role = second->role = ROLE_PAIR;
	first->other = number_of(moment, second);
	second->other = number_of(moment, first);
}

static struct history_peer *peer_of(const struct moment *moment, struct history_socket *socket,
				    const char *address)
{
	uint32_t number = number_of(moment, socket);
	uint32_t found = map_find(&moment->inside->peers, number, (uintptr_t)address);
	struct history_peer *peer = found ? &moment->history->peers[found - 1] : NULL;
	if (!peer && (peer = HISTORY_ADD(moment->history, peers)) != NULL) {
		peer->socket = number;
		peer->address = address;
		peer->next = socket->peer;
		peer->first = moment->event->number;
		socket->peer = (uint32_t)moment->history->peers_count;
		if (map_set(&moment->inside->peers, number, (uintptr_t)address, socket->peer) < 0)
			moment->inside->error = -ENOMEM;
	}
	if (peer)
		peer->last = moment->event->number;
	return peer;
}

/* Those who connected and were not accepted yet wait in order under the address. */
static void wait_for_accept(const struct moment *moment, const char *address, uint32_t socket)
{
	struct history_inside *inside = moment->inside;
	uint32_t head = map_find(&inside->callers, (uintptr_t)address, 0);
	head = head == UINT32_MAX ? 0 : head;
	while (inside->callers_capacity <= socket) {
		uint32_t *grown = array_grow(inside->callers_next, inside->callers_capacity,
					     &inside->callers_capacity, sizeof(*grown));
		if (!grown) {
			inside->error = -ENOMEM;
			return;
		}
		inside->callers_next = grown;
	}
	inside->callers_next[socket] = 0;
	uint32_t tail = map_find(&inside->callers, (uintptr_t)address, 1);
	if (head && tail)
		inside->callers_next[tail] = socket;
	if ((!head && map_set(&inside->callers, (uintptr_t)address, 0, socket) < 0) ||
	    map_set(&inside->callers, (uintptr_t)address, 1, socket) < 0)
		inside->error = -ENOMEM;
}

static uint32_t first_waiting(const struct moment *moment, const char *address)
{
	struct history_inside *inside = moment->inside;
	uint32_t head = address ? map_find(&inside->callers, (uintptr_t)address, 0) : 0;
	if (!head || head == UINT32_MAX)
		return 0;
	uint32_t next = inside->callers_next[head];
	if (next) {
		map_set(&inside->callers, (uintptr_t)address, 0, next);
	} else {
		map_set(&inside->callers, (uintptr_t)address, 0, UINT32_MAX);
	}
	return head;
}

void socket_connect(const struct moment *moment)
{
	const struct event *event = moment->event;
	struct history_socket *socket = of_handle(moment, handle_of(moment, (int)event->args[0]));
	const char *address = address_in(moment, 1, DIRECTION_IN);
	bool repeated = event->result == -EISCONN || event->result == -EALREADY;
	if (!socket || !address || repeated)
		return;
	if (socket->role == ROLE_NONE)
		socket->role = ROLE_CONNECT;
	socket->result = event->result == -EINPROGRESS ? 0 : event->result;
	socket->event = event->number;
	peer_of(moment, socket, address);
	if ((event->result == 0 || event->result == -EINPROGRESS) && socket->role == ROLE_CONNECT)
		wait_for_accept(moment, address, number_of(moment, socket));
}

void socket_bind(const struct moment *moment)
{
	struct history_socket *socket = of_handle(moment,
						  handle_of(moment, (int)moment->event->args[0]));
	const char *address = address_in(moment, 1, DIRECTION_IN);
	if (socket && address)
		socket->local = address;
}

void socket_listen(const struct moment *moment)
{
	struct history_socket *socket = of_handle(moment,
						  handle_of(moment, (int)moment->event->args[0]));
	if (!socket)
		return;
	socket->role = ROLE_LISTEN;
	socket->event = moment->event->number;
}

/* getsockname and getpeername. */
void socket_named(const struct moment *moment)
{
	struct history_socket *socket = of_handle(moment,
						  handle_of(moment, (int)moment->event->args[0]));
	const char *address = address_in(moment, 1, DIRECTION_OUT);
	if (!socket || !address)
		return;
	if (moment->event->nr == SYS_getsockname)
		socket->local = address;
	else if (address[0] != '\0')
		peer_of(moment, socket, address);
}

/* A caller may have named the port on any of the host's addresses. */
static const char *any_address(const struct moment *moment, const char *address)
{
	const char *port = strrchr(address, ':');
	char text[ADDRESS_BYTES] = "127.0.0.1";
	if (!port || strncmp(address, "unix:", 5) == 0 || strlen(port) > 8)
		return address;
	if (strncmp(address, "0.0.0.0:", 8) != 0 && strncmp(address, "[::]:", 5) != 0)
		return address;
	strcat(text, port);
	return pool_keep_text(&moment->inside->pool, text);
}

void socket_accept(const struct moment *moment, uint32_t handle)
{
	const struct history_socket *listener = of_handle(
		moment, handle_of(moment, (int)moment->event->args[0]));
	struct history_socket *socket;
	if (!listener)
		return;
	const char *local = listener->local;
	socket_new(moment, handle,
		   (const int[]){ listener->domain, listener->type, listener->protocol });
	socket = of_handle(moment, handle);
	if (!socket)
		return;
	const char *address = address_in(moment, 1, DIRECTION_OUT);
	socket->role = ROLE_ACCEPT;
	socket->local = local;
	uint32_t caller = first_waiting(moment, local);
	if (!caller && local)
		caller = first_waiting(moment, any_address(moment, local));
	struct history_socket *other = socket_get(moment->history, caller);
	if (other) {
		socket->other = caller;
		other->other = number_of(moment, socket);
		if (address && strcmp(address, "unix:") != 0)
			other->local = address;
	}
	peer_of(moment, socket, address ? address : pool_keep_text(&moment->inside->pool, ""));
}

/* Descriptors in ancillary data: the numbers behind each SCM_RIGHTS header. */
static size_t rights(const struct slice *control, size_t *position, const int **ret_fds)
{
	while (control->length >= sizeof(struct cmsghdr) &&
	       *position <= control->length - sizeof(struct cmsghdr)) {
		struct cmsghdr head;
		memcpy(&head, control->bytes + *position, sizeof(head));
		size_t start = *position + CMSG_LEN(0), left = control->length - *position;
		if (head.cmsg_len < CMSG_LEN(0) || head.cmsg_len > left)
			break;
		*position += CMSG_ALIGN(head.cmsg_len);
		if (head.cmsg_level != SOL_SOCKET || head.cmsg_type != SCM_RIGHTS)
			continue;
		*ret_fds = (const int *)(const void *)(control->bytes + start);
		return (head.cmsg_len - CMSG_LEN(0)) / sizeof(int);
	}
	return 0;
}

static int fd_at(const int *fds, size_t i)
{
	int fd;
	memcpy(&fd, (const char *)fds + i * sizeof(fd), sizeof(fd));
	return fd;
}

static void send_fds(const struct moment *moment, const struct history_socket *socket,
		     const int *fds, size_t count)
{
	const struct history_socket *other = socket_get(moment->history, socket->other);
	struct live *live = other ? handle_live(moment->history, other->handle) : NULL;
	struct parcel *parcel = live ? malloc(sizeof(*parcel) + count * sizeof(parcel->items[0])) : NULL;
	if (!parcel) {
		moment->inside->error = live ? -ENOMEM : moment->inside->error;
		return;
	}
	*parcel = (struct parcel){ .event = moment->event->number,
				   .process = moment->thread->process,
				   .count = count };
	for (size_t i = 0; i < count; i++) {
		parcel->items[i].fd = fd_at(fds, i);
		parcel->items[i].handle = handle_of(moment, fd_at(fds, i));
		if (parcel->items[i].handle)
			handle_get(moment->history, parcel->items[i].handle)->references++;
	}
	live = handle_live(moment->history, socket_get(moment->history, socket->other)->handle);
	if (live->last)
		live->last->next = parcel;
	else
		live->first = parcel;
	live->last = parcel;
}

static void note_pass(const struct moment *moment, const struct history_pass *pass)
{
	struct history_pass *added = HISTORY_ADD(moment->history, passes);
	if (added)
		*added = *pass;
}

static void take_fds(const struct moment *moment, uint32_t handle, const int *fds, size_t count)
{
	struct live *live = handle_live(moment->history, handle);
	struct parcel *parcel = live ? live->first : NULL;
	bool closes = moment->event->args[2] & MSG_CMSG_CLOEXEC;
	if (parcel) {
		live->first = parcel->next;
		if (!live->first)
			live->last = NULL;
	}
	for (size_t i = 0; i < count; i++) {
		const struct parcel_item *item = parcel && i < parcel->count ? &parcel->items[i] : NULL;
		uint32_t passed = item ? item->handle : 0;
		int fd = fd_at(fds, i);
		if (!passed)
			passed = handle_new(moment,
					    file_new(moment->history, HISTORY_OTHER,
						     pool_keep_text(&moment->inside->pool, "[passed]")),
					    0);
		note_pass(moment, &(struct history_pass){ .from = parcel ? parcel->process : 0,
							  .to = moment->thread->process,
							  .handle = passed,
							  .sent_fd = item ? item->fd : -1,
							  .received_fd = fd,
							  .sent_event = parcel ? parcel->event
									       : HISTORY_NO_EVENT,
							  .event = moment->event->number });
		handle_set(moment, fd, passed, closes);
	}
	for (size_t i = 0; parcel && i < parcel->count; i++)
		handle_drop(moment->history, parcel->items[i].handle, moment->event->number);
	free(parcel);
}

void socket_taken(const struct moment *moment, uint32_t handle, int received_fd, int sent_fd,
		  uint32_t from_process)
{
	note_pass(moment, &(struct history_pass){ .from = from_process,
						  .to = moment->thread->process,
						  .handle = handle,
						  .sent_fd = sent_fd,
						  .received_fd = received_fd,
						  .sent_event = HISTORY_NO_EVENT,
						  .event = moment->event->number });
}

static void note_peer(const struct moment *moment, struct history_socket *socket,
		      const struct flow *flow, const struct flow_message *message)
{
	char text[ADDRESS_BYTES];
	struct history_peer *peer = NULL;
	address_text(message->address.bytes, message->address.bytes ? message->address.length : 0, text);
	bool connected = socket->role != ROLE_DATAGRAM && socket->peer;
	if (connected || (text[0] == '\0' && socket->peer))
		peer = &moment->history->peers[socket->peer - 1];
	else
		peer = peer_of(moment, socket, pool_keep_text(&moment->inside->pool, text));
	if (!peer)
		return;
	peer->bytes[flow->way] += message->bytes;
	peer->calls[flow->way]++;
	peer->last = moment->event->number;
}

void socket_moved(const struct moment *moment, uint32_t handle, const struct flow *flow)
{
	const int *fds;
	for (size_t i = 0; i < flow->messages_count; i++) {
		const struct flow_message *message = &flow->messages[i];
		struct history_socket *socket = of_handle(moment, handle);
		size_t position = 0, count;
		if (!socket)
			return;
		note_peer(moment, socket, flow, message);
		while ((count = rights(&message->control, &position, &fds)) > 0) {
			if (flow->way == FLOW_WRITE)
				send_fds(moment, of_handle(moment, handle), fds, count);
			else
				take_fds(moment, handle, fds, count);
		}
	}
}
