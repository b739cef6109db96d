#include "audit.h"

#include <string.h>
#include <sys/socket.h>

static const char *family_word(const struct history_socket *socket)
{
	bool stream = socket->type == SOCK_STREAM;
	switch (socket->domain) {
	case AF_UNIX: return stream ? "unix stream" : "unix datagram";
	case AF_INET: return stream ? "tcp" : socket->type == SOCK_DGRAM ? "udp" : "raw";
	case AF_INET6: return stream ? "tcp6" : socket->type == SOCK_DGRAM ? "udp6" : "raw6";
	case AF_NETLINK: return "netlink";
	case AF_PACKET: return "packet";
	}
	return "other";
}

static bool is_asked(const struct audit *audit, uint32_t process)
{
	return !audit->options.pid ||
	       (process && audit->history->processes[process - 1].pid == audit->options.pid);
}

static void put_peer(struct audit *audit, const struct history_socket *socket,
		     const struct history_peer *peer)
{
	struct out *out = &audit->out;
	out_line(out, NULL);
	out_text(out, "    ");
	out_name(out, peer->address[0] ? peer->address : "[no address]");
	out_format(out, ": %llu bytes sent in %llu calls, %llu received in %llu, events %llu-%llu",
		   (unsigned long long)peer->bytes[1], (unsigned long long)peer->calls[1],
		   (unsigned long long)peer->bytes[0], (unsigned long long)peer->calls[0],
		   (unsigned long long)peer->first, (unsigned long long)peer->last);
	if (socket->other) {
		out_text(out, ", is pid ");
		audit_put_process(audit, audit->history->sockets[socket->other - 1].process,
				  peer->first);
	}
	out_end(out);
}

static void put_socket(struct audit *audit, const struct history_socket *socket)
{
	struct out *out = &audit->out;
	out_line(out, NULL);
	out_format(out, "%llu pid ", (unsigned long long)socket->event);
	audit_put_process(audit, socket->process, socket->event);
	out_format(out, " %s %s", family_word(socket), history_role_name(socket->role));
	if (socket->local) {
		out_text(out, " at ");
		out_name(out, socket->local);
	}
	if (socket->result < 0)
		out_format(out, " failed: %s", strerrorname_np((int)-socket->result));
	out_end(out);
	for (uint32_t i = socket->peer; i; i = audit->history->peers[i - 1].next)
		put_peer(audit, socket, &audit->history->peers[i - 1]);
}

static void json_socket(struct audit *audit, uint32_t number)
{
	const struct history_socket *socket = &audit->history->sockets[number - 1];
	const struct history_handle *handle = &audit->history->handles[socket->handle - 1];
	const struct history_bytes *moved = &audit->history->files[handle->file - 1].moved;
	struct out *out = &audit->out;
	out_line(out, "socket");
	out_member_uint(out, "socket", number);
	out_member_uint(out, "event", socket->event);
	audit_member_process(audit, "pid", socket->process);
	out_member_text(out, "program",
			audit_program_name(audit->history, socket->process, socket->event));
	out_member_text(out, "family", family_word(socket));
	out_member_int(out, "domain", socket->domain);
	out_member_int(out, "type", socket->type);
	out_member_int(out, "protocol", socket->protocol);
	out_member_text(out, "role", history_role_name(socket->role));
	out_member_int(out, "result", socket->result);
	out_member_text(out, "local", socket->local);
	out_member_uint(out, "other", socket->other);
	out_member_uint(out, "bytes_received", handle->bytes[0]);
	out_member_uint(out, "bytes_sent", handle->bytes[1]);
	out_member_digest(out, "digest_received", moved->digest[0]);
	out_member_digest(out, "digest_sent", moved->digest[1]);
	out_open(out, "peers", '[');
	for (uint32_t i = socket->peer; i; i = audit->history->peers[i - 1].next) {
		const struct history_peer *peer = &audit->history->peers[i - 1];
		out_open(out, NULL, '{');
		out_member_text(out, "address", peer->address);
		out_member_uint(out, "bytes_received", peer->bytes[0]);
		out_member_uint(out, "bytes_sent", peer->bytes[1]);
		out_member_uint(out, "first", peer->first);
		out_member_uint(out, "last", peer->last);
		out_shut(out, '}');
	}
	out_shut(out, ']');
	out_end(out);
}

static void put_pass(struct audit *audit, const struct history_pass *pass)
{
	struct out *out = &audit->out;
	const struct history_handle *handle = pass->handle ? &audit->history->handles[pass->handle - 1]
							   : NULL;
	const char *path = handle && handle->file ? audit->history->files[handle->file - 1].path : "?";
	out_line(out, "passed");
	if (out->json) {
		out_member_uint(out, "event", pass->event);
		out_member_event(out, "sent_event", pass->sent_event);
		audit_member_process(audit, "from", pass->from);
		audit_member_process(audit, "to", pass->to);
		out_member_int(out, "sent_fd", pass->sent_fd);
		out_member_int(out, "received_fd", pass->received_fd);
		out_member_text(out, "what", path);
	} else {
		out_format(out, "%llu pid ", (unsigned long long)pass->event);
		audit_put_process(audit, pass->to, pass->event);
		out_format(out, " got descriptor %d: ", pass->received_fd);
		out_name(out, path);
		out_text(out, " from pid ");
		audit_put_process(audit, pass->from, pass->event);
	}
	out_end(out);
}

int audit_net(struct audit *audit)
{
	const struct history *history = audit->history;
	for (uint32_t i = 1; i <= history->sockets_count; i++) {
		const struct history_socket *socket = &history->sockets[i - 1];
		if (!is_asked(audit, socket->process))
			continue;
		if (audit->options.json)
			json_socket(audit, i);
		else
			put_socket(audit, socket);
	}
	for (size_t i = 0; i < history->passes_count; i++)
		if (is_asked(audit, history->passes[i].to) || is_asked(audit, history->passes[i].from))
			put_pass(audit, &history->passes[i]);
	return VERIFY_OK;
}
