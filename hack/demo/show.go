package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
)

// indented writes to the terminal below the step that it belongs to.
type indented struct{}

// Write implements io.Writer.
func (indented) Write(p []byte) (int, error) {
	text := strings.TrimRight(string(p), "\n")
	fmt.Println("      " + strings.ReplaceAll(text, "\n", "\n      "))
	return len(p), nil
}

// ask sends one request through the gateway, and says who served it.
func (d *demo) ask(ctx context.Context, header http.Header) (string, error) {
	status, body, err := d.Ask(ctx, host, header)
	if err != nil {
		return "", err
	}
	var answer struct {
		Served []struct{ Member, Version, Slot string }
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		return "", fmt.Errorf("status %d: %w", status, err)
	}
	var parts []string
	for _, s := range answer.Served {
		parts = append(parts, fmt.Sprintf("%s %s (%s)", s.Member, s.Version, s.Slot))
	}
	return strings.Join(parts, " → "), nil
}

func (d *demo) print() {
	s := d.summary
	fmt.Println("\n\033[1mSummary\033[0m")
	for _, step := range s.Steps {
		fmt.Printf("  %-72s %6.1f s\n", step.Name, step.Seconds)
	}
	fmt.Printf("\n  requests %d   failed %d   mixed %d   streams %d   cut %d   worker in two slots %d\n", s.Requests, s.Failed, s.Mixed, s.Streams, s.Cut, s.LedgerOverlap)
	for _, m := range s.Switches {
		fmt.Printf("  %-8s of entry %s: last old request began %.0f ms after the command was started\n", m.Kind, m.Entry, m.LastOldMs)
	}
	fmt.Printf("  %.0f s in all; written to build/demo.json\n", s.Seconds)
}

func (d *demo) lookAround() {
	fmt.Printf(`
The cluster stays up (make cluster-down ends it). Look around:

  export KUBECONFIG=%s PATH=$PWD/build/bin:$PATH
  kubectl lockstep status shop -n shop --watch
  kubectl lockstep history shop -n shop
  curl -H 'Host: shop.example.com' http://%s/
  curl -H 'Host: shop.example.com' -b test=true http://%s/
`, os.Getenv("KUBECONFIG"), d.Gateway, d.Gateway)
}
