package chain

import (
	"bufio"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
)

func serve(t *testing.T, member string, compose Compose, dependencies ...Dependency) string {
	t.Helper()
	mux := http.NewServeMux()
	NewService(Hop{Member: member, Release: "r1", Slot: "blue"}, compose, dependencies...).Register(mux)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

func hello(map[string]json.RawMessage) (any, error) { return "hello", nil }

func broken(map[string]json.RawMessage) (any, error) { return nil, errors.New("broken") }

func members(hops []Hop) (names []string) {
	for _, hop := range hops {
		names = append(names, hop.Member)
	}
	return names
}

func get(t *testing.T, url string) (int, Answer) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer Answer
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, answer
}

func assertMembers(t *testing.T, answer Answer, want ...string) {
	t.Helper()
	got := members(answer.Served)
	if len(got) != len(want) {
		t.Fatalf("served by %v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("served by %v, want %v", got, want)
		}
	}
}

func TestAnswerNamesEveryMemberThatServedIt(t *testing.T) {
	catalog := Dependency{Member: "catalog", URL: serve(t, "catalog", hello)}
	cart := Dependency{Member: "cart", URL: serve(t, "cart", hello, catalog)}
	status, answer := get(t, serve(t, "frontend", hello, catalog, cart))
	if status != http.StatusOK {
		t.Fatalf("status %d", status)
	}
	assertMembers(t, answer, "frontend", "catalog", "cart", "catalog")
}

func TestFailureDownstreamIsBadGatewayAndNamesWhoAnswered(t *testing.T) {
	catalog := Dependency{Member: "catalog", URL: serve(t, "catalog", broken)}
	cart := Dependency{Member: "cart", URL: serve(t, "cart", hello, catalog)}
	status, answer := get(t, serve(t, "frontend", hello, cart))
	if status != http.StatusBadGateway || answer.Error != "cart: catalog: broken" {
		t.Fatalf("status %d, error %q", status, answer.Error)
	}
	assertMembers(t, answer, "frontend", "cart", "catalog")
}

func TestDependencyThatIsGoneIsBadGateway(t *testing.T) {
	status, answer := get(t, serve(t, "frontend", hello, Dependency{Member: "cart", URL: "http://127.0.0.1:1"}))
	if status != http.StatusBadGateway || answer.Error == "" {
		t.Fatalf("status %d, error %q", status, answer.Error)
	}
}

func TestStreamAnswersUntilItsEnd(t *testing.T) {
	resp, err := http.Get(serve(t, "frontend", hello) + "/stream?seconds=1")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var lines []string
	for scanner := bufio.NewScanner(resp.Body); scanner.Scan(); {
		lines = append(lines, scanner.Text())
	}
	if len(lines) < 3 || lines[len(lines)-1] != `{"end":true}` {
		t.Fatalf("lines: %q", lines)
	}
	var answer Answer
	if err := json.Unmarshal([]byte(lines[0]), &answer); err != nil {
		t.Fatal(err)
	}
	assertMembers(t, answer, "frontend")
}
