// SPDX-License-Identifier: Apache-2.0

// Drives the Go module github.com/go-kafka/connect: see tests/clients/README.md.
package main

import (
	"bufio"
	"encoding/json"
	"net/http"
	"os"
	"sort"

	"github.com/go-kafka/connect"
)

type request struct {
	Op     string            `json:"op"`
	Name   string            `json:"name"`
	Config map[string]string `json:"config"`
}

type operation func(c *connect.Client, r request) (interface{}, error)

// nothing is the result of a call that has none.
func nothing(_ *http.Response, err error) (interface{}, error) {
	return nil, err
}

func create(c *connect.Client, r request) (interface{}, error) {
	made := connect.Connector{Name: r.Name, Config: r.Config}
	_, err := c.CreateConnector(&made)
	return made.Name, err
}

func list(c *connect.Client, _ request) (interface{}, error) {
	names, _, err := c.ListConnectors()
	return names, err
}

func get(c *connect.Client, r request) (interface{}, error) {
	found, _, err := c.GetConnector(r.Name)
	if err != nil {
		return nil, err
	}
	return found.Config["connector.class"], nil
}

func config(c *connect.Client, r request) (interface{}, error) {
	found, _, err := c.GetConnectorConfig(r.Name)
	return found, err
}

func update(c *connect.Client, r request) (interface{}, error) {
	found, _, err := c.UpdateConnectorConfig(r.Name, r.Config)
	if err != nil {
		return nil, err
	}
	return found.Config, nil
}

func status(c *connect.Client, r request) (interface{}, error) {
	found, _, err := c.GetConnectorStatus(r.Name)
	if err != nil {
		return nil, err
	}
	states := []string{}
	for _, task := range found.Tasks {
		states = append(states, task.State)
	}
	return map[string]interface{}{"connector": found.Connector.State, "tasks": states}, nil
}

func tasks(c *connect.Client, r request) (interface{}, error) {
	found, _, err := c.GetConnectorTasks(r.Name)
	ids := []int{}
	for _, task := range found {
		ids = append(ids, task.ID.ID)
	}
	return ids, err
}

var operations = map[string]operation{
	"create": create,
	"list":   list,
	"get":    get,
	"config": config,
	"update": update,
	"status": status,
	"tasks":  tasks,
	"pause": func(c *connect.Client, r request) (interface{}, error) {
		return nothing(c.PauseConnector(r.Name))
	},
	"resume": func(c *connect.Client, r request) (interface{}, error) {
		return nothing(c.ResumeConnector(r.Name))
	},
	"restart": func(c *connect.Client, r request) (interface{}, error) {
		return nothing(c.RestartConnector(r.Name))
	},
	"delete": func(c *connect.Client, r request) (interface{}, error) {
		return nothing(c.DeleteConnector(r.Name))
	},
}

func answer(result interface{}, err error) map[string]interface{} {
	if err == nil {
		return map[string]interface{}{"ok": true, "result": result}
	}
	var code interface{}
	if api, is := err.(connect.APIError); is {
		code = api.Code
	}
	return map[string]interface{}{"ok": false, "status": code, "error": err.Error()}
}

func main() {
	client := connect.NewClient(os.Args[1])
	names := []string{}
	for name := range operations {
		names = append(names, name)
	}
	sort.Strings(names)
	out := json.NewEncoder(os.Stdout)
	_ = out.Encode(map[string]interface{}{
		"client": "go-kafka/connect", "version": connect.Version, "ops": names,
	})
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r request
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			panic(err)
		}
		_ = out.Encode(answer(operations[r.Op](client, r)))
	}
}
