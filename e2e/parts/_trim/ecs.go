// Package ecs replaces the provider of routes to containers on Amazon ECS, which depends on Amazon's clients.
package ecs

import (
	"errors"

	"github.com/traefik/traefik/v3/pkg/config/dynamic"
	"github.com/traefik/traefik/v3/pkg/safe"
)

// Provider is not built in.
type Provider struct{}

// SetDefaults sets nothing.
func (*Provider) SetDefaults() {}

// Init returns an error.
func (*Provider) Init() error { return errors.New("the provider for ECS is not built in") }

// Provide provides nothing.
func (*Provider) Provide(chan<- dynamic.Message, *safe.Pool) error { return nil }
