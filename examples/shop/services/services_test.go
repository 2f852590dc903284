package services_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-dev/lockstep/examples/shop/services/internal/chain"
	"github.com/lockstep-dev/lockstep/internal/testkit/witness"
)

func serve(t *testing.T, self chain.Hop, dependencies ...chain.Dependency) chain.Dependency {
	t.Helper()
	mux := http.NewServeMux()
	content := func(map[string]json.RawMessage) (any, error) { return self.Member, nil }
	chain.NewService(self, content, dependencies...).Register(mux)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return chain.Dependency{Member: self.Member, URL: server.URL}
}

func hop(member, release, slot string) chain.Hop {
	return chain.Hop{Member: member, Version: "1.0.0", Release: release, Slot: slot, Pod: member + "-1"}
}

// shop serves r1 in blue, but for cart, which is of the given release.
func shop(t *testing.T, cartRelease string) chain.Dependency {
	t.Helper()
	catalog := serve(t, hop("catalog", "r1", "blue"))
	cart := serve(t, hop("cart", cartRelease, "blue"), catalog)
	return serve(t, hop("frontend", "r1", "blue"), catalog, cart)
}

func watch(t *testing.T, entry chain.Dependency, seen func(witness.Report) bool) witness.Report {
	t.Helper()
	w := witness.Start(t.Context(), witness.Options{
		Target: strings.TrimPrefix(entry.URL, "http://"), Streams: 1, StreamSeconds: 1,
	})
	for range 500 {
		if seen(w.Snapshot()) {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	return w.Stop()
}

func TestTheWitnessUnderstandsTheShop(t *testing.T) {
	r := watch(t, shop(t, "r1"), func(r witness.Report) bool { return r.Requests > 20 && r.Ended > 0 })
	if r.Failed+r.Mixed+r.Cut != 0 || r.Ended == 0 || r.Lines < 3 || r.Releases["r1"].Count != r.Requests {
		t.Errorf("%+v", r)
	}
}

func TestTheWitnessSeesOneMemberOfAnotherRelease(t *testing.T) {
	r := watch(t, shop(t, "r2"), func(r witness.Report) bool { return r.Requests > 20 && r.Ended > 0 })
	if r.Failed != 0 || r.Mixed != r.Requests+r.Lines {
		t.Errorf("%+v", r)
	}
}
