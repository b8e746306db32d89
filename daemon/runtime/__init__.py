"""What a long-running service needs around its work: a mailbox, the service manager, reloading, metrics over HTTP.

May import link and the layers below it; knows neither the dock nor the policy service.
"""
