// Cart is the member that adds up what a user would pay. It asks catalog for the prices.
package main

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/lockstep-dev/lockstep/examples/shop/services/internal/chain"
	"github.com/lockstep-dev/lockstep/examples/shop/services/internal/process"
)

type product struct {
	Name  string `json:"name"`
	Cents int    `json:"cents"`
}

type content struct {
	Items []product `json:"items"`
	Cents int       `json:"cents"`
}

func main() {
	mux := http.NewServeMux()
	chain.NewService(chain.Self("cart"), addUp, chain.DependsOn("catalog")).Register(mux)
	process.Main(mux)
}

// addUp puts one of each product into the cart.
func addUp(parts map[string]json.RawMessage) (any, error) {
	var c content
	if err := json.Unmarshal(parts["catalog"], &c.Items); err != nil {
		return nil, fmt.Errorf("catalog: %w", err)
	}
	for _, item := range c.Items {
		c.Cents += item.Cents
	}
	return c, nil
}
