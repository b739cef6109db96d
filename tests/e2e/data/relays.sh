# Listeners and clients of the shell, on names of their own in the working directory.

# until_there NAME: a listener in the background takes a moment, but not ten seconds
until_there()
{
	local tries=0

	while [ ! -S "$1" ] && [ $((tries += 1)) -lt 200 ]; do
		sleep 0.05
	done
	sleep 0.1 # it exists a moment before anybody listens
}

socat UNIX-LISTEN:upper,unlink-close EXEC:'tr a-z A-Z' &
until_there upper
echo "a line" | socat - UNIX-CONNECT:upper
wait
echo "upper ended with $?"
socat -u UNIX-RECVFROM:letters,unlink-close - &
until_there letters
echo "a datagram" | socat -u - UNIX-SENDTO:letters
wait
nc -lU plain > heard &
until_there plain
echo "heard by nc" | nc -NU plain
wait
cat heard
rm -f plain letters
nc -z 127.0.0.1 1 || echo "nobody listens"
getent hosts nosuch.invalid || echo "no such host"
getent hosts 127.0.0.1 | wc -l
