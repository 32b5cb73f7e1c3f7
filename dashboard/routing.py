"""WebSocket routes."""

from django.urls import path

from dashboard.consumers import PreviewConsumer

websocket_urlpatterns = [path("ws/preview", PreviewConsumer.as_asgi())]
