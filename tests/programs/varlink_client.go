// A client of the admin socket that is not ours: Debian's Go library for Varlink. It reads the
// interface that the daemon serves, and asks once, wrongly, and for a stream.
//
//	varlink_client SOCKET
//
// What it finds is printed as lines: "method NAME" for each in the description, "state NAME STATE",
// "error NAME", "event KIND".
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/varlink/go/varlink"
	"github.com/varlink/go/varlink/idl"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "varlink_client:", err)
		os.Exit(1)
	}
}

type service struct {
	Name  string `json:"name"`
	State string `json:"state"`
}

type named struct {
	Services []string `json:"services"`
}

func main() {
	ctx := context.Background()
	connection, err := varlink.NewConnection(ctx, "unix:"+os.Args[1])
	check(err)
	defer connection.Close()

	var vendor, product, version, url string
	var interfaces []string
	check(connection.GetInfo(ctx, &vendor, &product, &version, &url, &interfaces))
	fmt.Println("product", product)
	for _, name := range interfaces {
		text, err := connection.GetInterfaceDescription(ctx, name)
		check(err)
		description, err := idl.New(text)
		check(err)
		fmt.Println("interface", description.Name)
		for _, method := range description.Methods {
			if description.Name == "org.fdsup" {
				fmt.Println("method", method.Name)
			}
		}
	}

	var status struct {
		Services []service `json:"services"`
	}
	check(connection.Call(ctx, "org.fdsup.Status", named{}, &status))
	for _, one := range status.Services {
		fmt.Println("state", one.Name, one.State)
	}
	err = connection.Call(ctx, "org.fdsup.Stop", named{[]string{"nonsense"}}, nil)
	if failure, ok := err.(*varlink.Error); ok {
		fmt.Println("error", failure.Name)
	}

	receive, err := connection.Send(ctx, "org.fdsup.Events", named{}, varlink.More)
	check(err)
	var answer struct {
		Event struct {
			Event string `json:"event"`
		} `json:"event"`
	}
	flags, err := receive(ctx, &answer)
	check(err)
	fmt.Println("event", answer.Event.Event, flags&varlink.Continues != 0)
}
