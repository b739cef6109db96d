#!/bin/bash
# openssl: keys, a certificate, a TLS server and client
# group tools
# needs openssl
# packages openssl
# version openssl version
# output varies
set -e
openssl req -x509 -newkey rsa:2048 -nodes -keyout key -out cert -subj /CN=localhost -days 1 2> /dev/null
openssl s_server -key key -cert cert -accept 127.0.0.1:24433 -naccept 1 -www -quiet &
for ((i = 0; i < 50; i++)); do
	printf 'GET / HTTP/1.0\r\n\r\n' | openssl s_client -connect 127.0.0.1:24433 -quiet 2> /dev/null | grep -c TLS && break
	sleep 0.1
done
wait
openssl dgst -sha512 key | wc -c
