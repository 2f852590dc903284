// Catalog is the member that knows what the shop sells.
package main

import (
	"encoding/json"
	"net/http"

	"github.com/lockstep-dev/lockstep/examples/shop/services/internal/chain"
	"github.com/lockstep-dev/lockstep/examples/shop/services/internal/process"
)

type product struct {
	Name  string `json:"name"`
	Cents int    `json:"cents"`
}

func main() {
	mux := http.NewServeMux()
	chain.NewService(chain.Self("catalog"), products).Register(mux)
	process.Main(mux)
}

func products(map[string]json.RawMessage) (any, error) {
	return []product{{Name: "lock", Cents: 1900}, {Name: "key", Cents: 450}}, nil
}
