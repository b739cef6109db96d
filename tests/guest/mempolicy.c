/* Where memory lies: policies for threads and ranges, asked for, moved between nodes; one node is enough. */
#include "guest.h"
#include <linux/mempolicy.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define PAGE 4096UL
#define NODES 64UL
#define NR_HOME_NODE 450

int main(void)
{
	unsigned long all[NODES / 64] = { 1 }, seen[NODES / 64] = { 0 }, wide[16];
	char *map = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void *pages[3] = { map, map + PAGE, map + 7 * PAGE };
	int mode = -1, status[3] = { 99, 99, 99 }, nodes[3] = { 0, 0, 0 };

	expect(map != MAP_FAILED);
	memset(map, 1, 4 * PAGE);
	if (syscall(SYS_get_mempolicy, &mode, seen, NODES, NULL, 0UL) < 0) {
		expect(errno == ENOSYS || errno == EPERM);
		return 0;
	}
	say("mode %d, nodes %lx\n", mode, seen[0]);
	memset(wide, 0xff, sizeof(wide));
	expect(syscall(SYS_get_mempolicy, NULL, wide, 1024UL, NULL, MPOL_F_MEMS_ALLOWED) == 0);
	say("allowed %lx, %lx\n", wide[0], wide[15]);
	expect(syscall(SYS_set_mempolicy, MPOL_BIND, all, NODES) == 0);
	expect(syscall(SYS_get_mempolicy, &mode, seen, NODES, NULL, 0UL) == 0 && mode == MPOL_BIND);
	expect(syscall(SYS_set_mempolicy, MPOL_DEFAULT, NULL, 0UL) == 0);
	expect(syscall(SYS_set_mempolicy, 99, NULL, 0UL) == -1 && errno == EINVAL);
	expect(syscall(SYS_mbind, map, 8 * PAGE, MPOL_PREFERRED, all, NODES, 0U) == 0);
	expect(syscall(SYS_get_mempolicy, &mode, seen, NODES, map, (unsigned long)MPOL_F_ADDR) == 0);
	say("range: mode %d, nodes %lx\n", mode, seen[0]);
	expect(syscall(SYS_get_mempolicy, &mode, NULL, 0UL, map, MPOL_F_NODE | MPOL_F_ADDR) == 0);
	say("on node %d\n", mode);
	expect(syscall(SYS_mbind, map + 1, PAGE, MPOL_DEFAULT, NULL, 0UL, 0U) == -1);
	if (syscall(SYS_move_pages, 0, 3UL, pages, NULL, status, 0) == 0)
		say("pages: %d %d %d\n", status[0], status[1], status[2]);
	expect(syscall(SYS_move_pages, 0, 2UL, pages, nodes, status, MPOL_MF_MOVE) >= 0);
	expect(syscall(SYS_migrate_pages, 0, NODES, all, all) >= 0);
	expect(syscall(NR_HOME_NODE, map, 8 * PAGE, 0UL, 0UL) == 0 || errno == ENOSYS ||
	       errno == EOPNOTSUPP || errno == ENOENT);
	expect(map[3 * PAGE] == 1);
	return 0;
}
