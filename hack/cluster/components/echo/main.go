// Command echo is what the self-test deploys: it answers every request with
// its text, or looks up a name when called as `echo lookup NAME`.
package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) == 3 && os.Args[1] == "lookup" {
		lookup(os.Args[2])
		return
	}
	serve(os.Getenv("TEXT"))
}

func lookup(name string) {
	addresses, err := net.LookupHost(name)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(addresses)
}

func serve(text string) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	server := http.Server{Addr: ":8080", ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(
		func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, text) })}
	go func() {
		<-ctx.Done()
		_ = server.Close()
	}()
	fmt.Println("listening on :8080")
	_ = server.ListenAndServe()
}
