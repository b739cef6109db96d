#!/bin/bash
# erlang: processes, messages, a TCP server, ports
# group jvm
# needs erl
# packages erlang-base
# version erl -noshell -eval 'io:format("~s", [erlang:system_info(otp_release)]), halt().'
set -e
cat > all.erl <<'EOF'
-module(all).
-export([main/0]).
main() ->
	Self = self(),
	[spawn(fun() -> Self ! {I, lists:sum([X * I rem 7 || X <- lists:seq(1, 5000)])} end) || I <- lists:seq(1, 50)],
	io:format("~p~n", [lists:sum([receive {I, S} -> S end || I <- lists:seq(1, 50)])]),
	{ok, L} = gen_tcp:listen(0, [binary, {active, false}, {ip, {127,0,0,1}}]),
	{ok, Port} = inet:port(L),
	spawn(fun() -> {ok, C} = gen_tcp:accept(L), {ok, D} = gen_tcp:recv(C, 5), gen_tcp:send(C, D), gen_tcp:close(C) end),
	{ok, S} = gen_tcp:connect({127,0,0,1}, Port, [binary, {active, false}]),
	ok = gen_tcp:send(S, <<"hello">>),
	io:format("~p~n", [gen_tcp:recv(S, 5)]),
	receive after 30 -> io:format("after~n") end,
	io:format("~s", [os:cmd("echo child")]),
	halt(0).
EOF
erlc all.erl
erl -noshell -noinput -s all main
