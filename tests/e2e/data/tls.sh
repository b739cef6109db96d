# A TLS server of one connection, which turns lines around until it is told to close, and its client.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem \
	-out certificate.pem -days 2 -subj /CN=localhost 2> /dev/null
openssl s_server -quiet -rev -naccept 1 -unix server -key key.pem -cert certificate.pem \
	> /dev/null 2>&1 &
tries=0
while [ ! -S server ] && [ $((tries += 1)) -lt 200 ]; do
	sleep 0.05
done
sleep 0.1 # it exists a moment before anybody listens
printf 'a secret\nCLOSE\n' | openssl s_client -quiet -unix server -CAfile certificate.pem 2> /dev/null
wait
