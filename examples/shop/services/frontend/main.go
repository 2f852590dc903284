// Frontend is the member that users meet. It shows what catalog and cart answer.
package main

import (
	"encoding/json"
	"net/http"

	"github.com/lockstep-dev/lockstep/examples/shop/services/internal/chain"
	"github.com/lockstep-dev/lockstep/examples/shop/services/internal/process"
)

func main() {
	mux := http.NewServeMux()
	chain.NewService(chain.Self("frontend"), page, chain.DependsOn("catalog"), chain.DependsOn("cart")).Register(mux)
	process.Main(mux)
}

func page(parts map[string]json.RawMessage) (any, error) {
	return parts, nil
}
