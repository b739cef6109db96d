#!/bin/bash
# go: goroutines, channels, net/http server and client, timers
# group go
# needs go
# packages golang-go
# version go version
set -e
export HOME=$PWD GOCACHE=${COMPAT_CACHE:-$PWD}/go GOFLAGS=-p=2
mkdir -p src && cd src
cat > main.go <<'EOF'
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"runtime"
	"sync"
	"time"
)

func main() {
	var group sync.WaitGroup
	results := make(chan int, 100)
	for i := 0; i < 50; i++ {
		group.Add(1)
		go func(n int) {
			defer group.Done()
			sum := 0
			for j := 0; j < 20000; j++ {
				sum = (sum*31 + j*n) % 1000003
			}
			results <- sum
		}(i)
	}
	group.Wait()
	close(results)
	total := 0
	for r := range results {
		total += r
	}
	fmt.Println(total)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "path %s", r.URL.Path)
	}))
	for i := 0; i < 10; i++ {
		response, err := http.Get(fmt.Sprintf("http://%s/%d", listener.Addr(), i))
		if err != nil {
			panic(err)
		}
		body, _ := io.ReadAll(response.Body)
		response.Body.Close()
		fmt.Println(string(body))
	}
	ticker := time.NewTicker(5 * time.Millisecond)
	for i := 0; i < 3; i++ {
		<-ticker.C
	}
	runtime.GC()
	out, _ := exec.Command("echo", "child").Output()
	fmt.Print(string(out))
	select {
	case <-time.After(20 * time.Millisecond):
		fmt.Println("after")
	}
	stop := false
	go func() {
		time.Sleep(10 * time.Millisecond)
		stop = true
		results = nil
	}()
	for n := 0; n < 3; n++ {
		time.Sleep(10 * time.Millisecond)
	}
	fmt.Println(stop)
}
EOF
[ -f go.mod ] || go mod init example > /dev/null 2>&1
go build -o ../main . && cd .. && ./main
