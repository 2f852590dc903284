// Command schema prints the fingerprint of Lockstep's kinds, which the chart writes onto them as `install` does.
package main

import (
	"fmt"
	"log"

	"github.com/lockstep-dev/lockstep/config"
)

func main() {
	schema, err := config.Schema()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(schema)
}
