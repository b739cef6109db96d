#include "shape_inside.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>

void shape_put_timespec(struct out *out, const uint8_t *bytes, size_t length)
{
	struct timespec t;
	(void)length;
	memcpy(&t, bytes, sizeof(t));
	shape_int(out, "{tv_sec=", t.tv_sec);
	shape_int(out, ", tv_nsec=", t.tv_nsec);
	out_char(out, '}');
}

static void put_utime(struct out *out, const uint8_t *bytes)
{
	struct timespec t;
	memcpy(&t, bytes, sizeof(t));
	if (t.tv_nsec == UTIME_NOW || t.tv_nsec == UTIME_OMIT)
		out_text(out, t.tv_nsec == UTIME_NOW ? "UTIME_NOW" : "UTIME_OMIT");
	else
		shape_put_timespec(out, bytes, sizeof(t));
}

void shape_put_times(struct out *out, const uint8_t *bytes, size_t length)
{
	(void)length;
	out_char(out, '[');
	put_utime(out, bytes);
	out_text(out, ", ");
	put_utime(out, bytes + sizeof(struct timespec));
	out_char(out, ']');
}

void shape_put_timeval(struct out *out, const uint8_t *bytes, size_t length)
{
	struct timeval t;
	(void)length;
	memcpy(&t, bytes, sizeof(t));
	shape_int(out, "{tv_sec=", t.tv_sec);
	shape_int(out, ", tv_usec=", t.tv_usec);
	out_char(out, '}');
}

void shape_put_utimes(struct out *out, const uint8_t *bytes, size_t length)
{
	out_char(out, '[');
	shape_put_timeval(out, bytes, length);
	out_text(out, ", ");
	shape_put_timeval(out, bytes + sizeof(struct timeval), length);
	out_char(out, ']');
}

void shape_put_old_times(struct out *out, const uint8_t *bytes, size_t length)
{
	int64_t t[2];
	(void)length;
	memcpy(t, bytes, sizeof(t));
	shape_int(out, "{actime=", t[0]);
	shape_int(out, ", modtime=", t[1]);
	out_char(out, '}');
}

void shape_put_timezone(struct out *out, const uint8_t *bytes, size_t length)
{
	struct timezone zone;
	(void)length;
	memcpy(&zone, bytes, sizeof(zone));
	shape_int(out, "{tz_minuteswest=", zone.tz_minuteswest);
	shape_int(out, ", tz_dsttime=", zone.tz_dsttime);
	out_char(out, '}');
}

void shape_put_itimerval(struct out *out, const uint8_t *bytes, size_t length)
{
	out_text(out, "{it_interval=");
	shape_put_timeval(out, bytes, length);
	out_text(out, ", it_value=");
	shape_put_timeval(out, bytes + sizeof(struct timeval), length);
	out_char(out, '}');
}

void shape_put_itimerspec(struct out *out, const uint8_t *bytes, size_t length)
{
	out_text(out, "{it_interval=");
	shape_put_timespec(out, bytes, length);
	out_text(out, ", it_value=");
	shape_put_timespec(out, bytes + sizeof(struct timespec), length);
	out_char(out, '}');
}
